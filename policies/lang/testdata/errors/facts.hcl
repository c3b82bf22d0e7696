locals {
  guarded = try(fact.custom.nothing, "fine")
}

policy "p" {
  resource "directory" "a" {
    path = "/srv/${fact.package_manager}" # ERROR: Missing fact; The host web1 has no fact.package_manager.
  }
  resource "directory" "b" {
    path = "/srv/${fact.packages["apache2"]}" # ERROR: Missing fact; fact.packages.apache2
  }
  resource "directory" "c" {
    path = "/srv/${host.labels.rol}" # ERROR: Missing label; Did you mean "role"?
  }
  resource "directory" "d" {
    path = "/srv/${fact.custom.rack.colum}" # ERROR: Missing fact; try(fact.custom.rack.colum
  }
  resource "directory" "e" {
    path = "/srv/${local.guarded}"
  }
}
