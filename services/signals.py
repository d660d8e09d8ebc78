"""Told inside the transaction of a change; a receiver must not do slow work.

`service_changed(service_id)`: anything that callers or pages could notice.
`instance_moved(instance, old, new, now)`: an instance's state changed; None is before the first
and after the last.
"""

from django.dispatch import Signal

service_changed = Signal()
instance_moved = Signal()
