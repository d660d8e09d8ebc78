"""The health probe of drivers whose instances answer HTTP."""

import ssl

import httpx

from services.drivers.base import ProbeResult

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def probe_http(address: str, path: str, timeout: float) -> ProbeResult:
    """Ask `http://address/path`; healthy is a status from 200 to 399 within `timeout` seconds."""
    try:
        # A proxy of the environment must not stand between us and an instance, and loading
        # certificates that plain HTTP never uses takes longer than the probe.
        with httpx.Client(
            timeout=timeout, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ) as client:
            status = client.get(f"http://{address}{path}").status_code
    except httpx.TimeoutException:
        return ProbeResult(False, f"{path} did not answer within {timeout:g} s")
    except httpx.ConnectError:
        return ProbeResult(False, f"nothing listens at {address} yet")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return ProbeResult(False, f"{path}: {error or type(error).__name__}")
    healthy = httpx.codes.OK <= status < httpx.codes.BAD_REQUEST
    return ProbeResult(healthy, "" if healthy else f"{path} answers {status}")
