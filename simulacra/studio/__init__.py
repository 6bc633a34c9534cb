"""The studio: a page in the browser over the functions of the package, and the HTTP API that the page talks to.

Needs the extra ``studio`` (FastAPI, uvicorn, python-multipart), which is imported nowhere else.
"""
