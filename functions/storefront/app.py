"""GET / and the other pages, and what they load: a Starlette application, through Mangum."""

from flashsale.web.application import handler as adapter

handler = adapter()
