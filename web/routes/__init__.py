"""One file per page; `api` is their JSON twin."""
