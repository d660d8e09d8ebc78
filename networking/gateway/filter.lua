-- Checks keys before a call reaches a model. An error in here lets the call through, so an RBAC
-- filter behind it requires the mark that only an accepted call gets.
local bit = require("bit")
local band, bxor, bnot = bit.band, bit.bxor, bit.bnot
local rshift, ror, tobit, tohex = bit.rshift, bit.ror, bit.tobit, bit.tohex
local K = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}
local W = {}

local function sha256(text)
  local bits = #text * 8
  local data = text .. "\128" .. string.rep("\0", (55 - #text) % 64) .. "\0\0\0\0"
    .. string.char(rshift(bits, 24) % 256, rshift(bits, 16) % 256, rshift(bits, 8) % 256, bits % 256)
  local A, B, C, D = 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a
  local E, F, G, H = 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
  for offset = 1, #data, 64 do
    for i = 0, 15 do
      local p, q, r, s = data:byte(offset + i * 4, offset + i * 4 + 3)
      W[i] = tobit(p * 16777216 + q * 65536 + r * 256 + s)
    end
    for i = 16, 63 do
      local x, y = W[i - 15], W[i - 2]
      W[i] = tobit(W[i - 16] + bxor(ror(x, 7), ror(x, 18), rshift(x, 3))
        + W[i - 7] + bxor(ror(y, 17), ror(y, 19), rshift(y, 10)))
    end
    local a, b, c, d, e, f, g, h = A, B, C, D, E, F, G, H
    for i = 0, 63 do
      local t1 = tobit(h + bxor(ror(e, 6), ror(e, 11), ror(e, 25))
        + bxor(band(e, f), band(bnot(e), g)) + K[i + 1] + W[i])
      local t2 = tobit(bxor(ror(a, 2), ror(a, 13), ror(a, 22))
        + bxor(band(a, b), band(a, c), band(b, c)))
      h, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + t2)
    end
    A, B, C, D = tobit(A + a), tobit(B + b), tobit(C + c), tobit(D + d)
    E, F, G, H = tobit(E + e), tobit(F + f), tobit(G + g), tobit(H + h)
  end
  return tohex(A) .. tohex(B) .. tohex(C) .. tohex(D) .. tohex(E) .. tohex(F) .. tohex(G) .. tohex(H)
end

-- One copy of a service's keys per version: asking Envoy's metadata each time copies all of it.
local tables = {}

local function keys_of(handle, service, version)
  local known = tables[service]
  if not known or known.version ~= version then
    known = { version = version, keys = {} }
    for digest, value in pairs(handle:metadata()) do known.keys[digest] = value end
    tables[service] = known
  end
  return known.keys
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\\127-\255]', function(c)
    return string.format("\\u%04x", c:byte())
  end) .. '"'
end

local function refuse(handle, status, kind, code, message, retry_after)
  local id = handle:headers():get("x-request-id") or ""
  handle:streamInfo():dynamicMetadata():set("slipway", "refused", code)
  local headers = { [":status"] = status, ["content-type"] = "application/json", ["x-request-id"] = id }
  if status == "401" then headers["www-authenticate"] = "Bearer" end
  if retry_after then headers["retry-after"] = retry_after end
  handle:respond(headers, '{"error":{"message":' .. quoted(message) .. ',"type":"' .. kind
    .. '","code":"' .. code .. '","request_id":' .. quoted(id) .. "}}")
end

local function unauthorized(handle, code, message)
  refuse(handle, "401", "authentication_error", code, message)
end

-- Returns the key's id, or nothing once the call is refused.
local function accepted_key(handle, service, version, presented)
  if not presented then
    return unauthorized(handle, "missing_api_key", "Send this service's API key in Authorization.")
  end
  local key = presented:gsub("^%s*[Bb][Ee][Aa][Rr][Ee][Rr]%s+", ""):gsub("^%s+", ""):gsub("%s+$", "")
  local value = #key > 0 and #key <= 256 and keys_of(handle, service, version)[sha256(key)]
  if not value then
    return unauthorized(handle, "invalid_api_key", "This is not a key of this service.")
  end
  local id, enabled, expires = value:match("^([^;]*);(%d);(%d+)$")
  if enabled ~= "1" then
    return unauthorized(handle, "disabled_api_key", "This API key is disabled.")
  end
  if expires ~= "0" and os.time() >= tonumber(expires) then
    return unauthorized(handle, "expired_api_key", "This API key has expired.")
  end
  return id
end

-- Is the position directly inside the outermost object, and not in a string?
local function at_top_level(text, position)
  local depth, i = 0, 1
  while true do
    local found = text:find('["{}%[%]]', i)
    if not found or found >= position then return depth == 1 end
    local char = text:sub(found, found)
    i = found + 1
    if char == '"' then
      while true do
        local stop = text:find('["\\]', i)
        if not stop or stop >= position then return false end
        if text:byte(stop) == 34 then i = stop + 1 break end
        i = stop + 2
      end
    else
      depth = depth + ((char == "{" or char == "[") and 1 or -1)
    end
  end
end

local function with_boolean_stream(text)
  local out, position, changed = {}, 1, false
  while true do
    local first, last, before, value = text:find('([{,]%s*"stream"%s*:%s*)"(%a+)"', position)
    if not first then break end
    local named = first + #before:match("^[{,]%s*")
    if (value == "true" or value == "false") and at_top_level(text, named) then
      out[#out + 1] = text:sub(position, first - 1) .. before .. value
      changed = true
    else
      out[#out + 1] = text:sub(position, last)
    end
    position = last + 1
  end
  if changed then return table.concat(out) .. text:sub(position) end
end

local BODY_LIMIT = 262144

local function may_have_stream(handle, headers)
  if headers:get(":method") ~= "POST" then return false end
  if not (headers:get(":path") or ""):find("/v1/", 1, true) then return false end
  local length = tonumber(headers:get("content-length") or "")
  local kind = (headers:get("content-type") or ""):lower()
  return length and length > 0 and length <= BODY_LIMIT and kind:find("application/json", 1, true) == 1
end

function envoy_on_request(handle)
  local context = handle:filterContext()
  local service = context:get("service")
  if not service then
    return refuse(handle, "404", "invalid_request_error", "service_not_found",
      "No service has this address. Copy it from the service's page.")
  end
  local headers = handle:headers()
  local presented = headers:get("authorization")
  local key = "-"
  if context:get("auth") then
    key = accepted_key(handle, service, context:get("version"), presented)
    if not key then return end
  end
  if presented then headers:remove("authorization") end
  local mark = handle:streamInfo():dynamicMetadata()
  mark:set("slipway", "key", key)
  local code = context:get("code")
  if code then
    return refuse(handle, "503", "service_unavailable", code, context:get("message"), context:get("retry_after"))
  end
  if not may_have_stream(handle, headers) then return end
  local body = handle:body()
  if not body then return end
  local text = body:getBytes(0, body:length())
  local changed = text:find('"stream"', 1, true) and with_boolean_stream(text)
  -- Reading the body ends the life of the first header object.
  if changed then handle:headers():replace("content-length", tostring(body:setBytes(changed))) end
end
