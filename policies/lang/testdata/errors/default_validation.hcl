variable "size" { # ERROR: Invalid value for variable; Below ten.
  type    = number
  default = 30
  validation {
    condition     = var.size < 10
    error_message = "Below ten."
  }
}
