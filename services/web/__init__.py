"""The web service: the REST API, the public page and the bureau's console, and the edge before them."""
