// Light or dark as the reader's system is, before anything of a report is shown.
document.documentElement.dataset.theme = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
