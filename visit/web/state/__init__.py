"""What a page shows and what the server keeps for it: view, address, shelf."""
