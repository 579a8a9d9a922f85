// What the page's scripts share.
