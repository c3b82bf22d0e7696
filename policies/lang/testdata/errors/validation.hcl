variable "size" {
  type    = number
  default = 3

  validation {
    condition     = var.size < 10
    error_message = "Sizes are below ten."
  }
}

values {
  size = 40 # ERROR: Invalid value for variable; Sizes are below ten.
}

policy "p" {
  resource "directory" "d" {
    path = "/srv/${var.size}"
  }
}
