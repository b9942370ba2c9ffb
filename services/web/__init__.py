"""How the API answers, whatever it is asked: problems, representations, pages, caching."""
