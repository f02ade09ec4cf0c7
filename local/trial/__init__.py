"""`flashsale test`: tries a service from outside, as buyers do, in the middle of a live sale."""
