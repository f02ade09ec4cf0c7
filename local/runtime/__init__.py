"""Invocations as Lambda has them: context, time, concurrency, reports, retries; and, on request,
the functions in environments of their own, each a process under Lambda's own Python runtime."""
