variable "x" {
  default = 1
}

group "a" {
  match = true
  vars  = { x = 2 }
}

group "b" {
  match = true
  vars  = { x = 3 } # ERROR: Groups disagree; "a" and "b"
}

policy "p" {
  resource "directory" "d" {
    path = "/srv/${var.x}"
  }
}
