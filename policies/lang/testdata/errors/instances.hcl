policy "p" {
  resource "directory" "a" {
    for_each = toset(["one", "two"])
    path     = "/a/${each.key}"
  }
  resource "directory" "b" {
    path       = "/b"
    depends_on = [directory.a["three"]] # ERROR: Unknown instance
  }
}
