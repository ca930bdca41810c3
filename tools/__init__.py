"""Small scripts that turn the notebooks into the package, the README and the site."""
