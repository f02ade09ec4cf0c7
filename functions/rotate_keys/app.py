"""Monthly, by Secrets Manager: a new key for checkout codes comes before the one that signs."""

from flashsale.api import operation
from flashsale.rotation import rotate
from flashsale.shapes import Event


@operation
async def handler(event: Event) -> dict[str, str]:
    return {"step": await rotate(event)}
