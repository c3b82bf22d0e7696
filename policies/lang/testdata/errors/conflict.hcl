policy "one" {
  resource "directory" "a" {
    path  = "/a"
    owner = "root"
  }
}

policy "two" {
  resource "directory" "a" { # ERROR: Conflicting declarations; conflict.hcl:2
    path  = "/a"
    owner = "www-data"
  }
}
