"""A request's media and documents, read, fetched, uploaded or extracted as its host takes them."""
