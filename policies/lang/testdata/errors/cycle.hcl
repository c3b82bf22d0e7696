locals {
  a = local.b
  b = local.c
  c = local.a # ERROR: Circular reference; local.a → local.b → local.c → local.a
}

group "x" {
  match = group.y
}

group "y" {
  match = !group.x # ERROR: Circular reference; group.x → group.y → group.x
}
