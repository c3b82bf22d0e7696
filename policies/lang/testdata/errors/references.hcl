policy "p" {
  resource "directory" "a" {
    path       = "/a"
    depends_on = [directory.bb] # ERROR: Unknown resource; Did you mean directory.b?
  }
  resource "directory" "b" {
    path       = "/b"
    depends_on = ["directory.a"] # ERROR: Unusable reference; without quotes
  }
  resource "directory" "c" {
    path       = "/c"
    depends_on = [directory.c] # ERROR: Reference to itself
  }
  resource "directory" "d" {
    path       = "/d"
    depends_on = [directory.a["x"]] # ERROR: Unknown instance
  }
  resource "directory" "e" {
    path   = "/e"
    before = [directory.far]   # ERROR: Unknown resource; Did you mean policy.q.directory.far?
    notify = [
      policy.q.directory.far,
      directory.a.path, # ERROR: Unusable reference
      5,                # ERROR: Unusable reference
    ]
  }
}

policy "q" {
  resource "directory" "far" {
    path = "/far"
  }
}
