"""The studies as they are asked for: a function each, which commands and the API are made of."""
