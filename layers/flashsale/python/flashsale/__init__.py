"""A flash sale of 10,000 unique items an hour: Redis gates the crowd, PostgreSQL decides."""
