policy "p" {
  resource "directory" "a" { # ERROR: Circular order; policy.p.directory.a (order.hcl:2) → policy.p.directory.b (order.hcl:6) → policy.p.directory.c (order.hcl:10) → policy.p.directory.a (order.hcl:2)
    path   = "/a"
    before = [directory.b]
  }
  resource "directory" "b" {
    path   = "/b"
    notify = [directory.c]
  }
  resource "directory" "c" {
    path   = "/c"
    before = [directory.a]
  }
}
