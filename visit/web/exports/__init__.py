"""A graph taken away: files to download, the page that works offline, images, notebooks."""
