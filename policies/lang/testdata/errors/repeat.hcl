variable "secret" {
  type      = map(string)
  default   = { a = "b" }
  sensitive = true
}

policy "p" {
  resource "directory" "a" {
    for_each = ["a"] # ERROR: Unusable for_each; toset
    path     = "/a"
  }
  resource "directory" "b" {
    for_each = {}
    count    = 1 # ERROR: Both for_each and count
    path     = "/b"
  }
  resource "directory" "c" {
    for_each = var.secret # ERROR: Sensitive value not allowed
    path     = "/c"
  }
  resource "directory" "d" {
    path = "/d/${each.key}" # ERROR: Name not available here; for_each
  }
  resource "directory" "e" {
    count = -1 # ERROR: Number out of range
    path  = "/e"
  }
  resource "directory" "f" {
    for_each = "text" # ERROR: Unusable for_each
    path     = "/f"
  }
  resource "directory" "g" {
    count = 2
    path  = "/g/${count.indx}" # ERROR: Unsupported attribute; Did you mean "index"?
  }
  resource "directory" "h" {
    for_each = { a = { owner = "root" } }
    path     = "/h"
    owner    = each.value.ownr # ERROR: Unsupported attribute; Did you mean "owner"?
  }
}
