variable "none" { # ERROR: Variable without a value; values { none =
}

variable "port" {
  type    = number
  default = "http" # ERROR: Wrong type of value; a number is required
}

variable "deep" {
  type = object({
    a = string
    b = optional(number, 3)
  })
  default = { a = [] } # ERROR: Wrong type of value
}

variable "kind" {
  type    = strin # ERROR: Invalid type specification
  default = 1
}

variable "derived" {
  default = local.x # ERROR: Constant wanted; Use a locals block
}

variable "size" {
  type = number

  validation {
    condition     = var.size < 10
    error_message = "Sizes are below ten."
  }
  validation { # ERROR: Incomplete validation
    condition = true
  }
  default = 3
}

values {
  siez = 4 # ERROR: Unknown variable; Did you mean "size"?
}

locals {
  x = var.prot # ERROR: Unknown variable; Did you mean "port"?
  y = locl.x   # ERROR: Unknown name; Did you mean "local"?
  z = local.xx # ERROR: Unknown local value
  m = var      # ERROR: Incomplete reference
  n = local["x"] # ERROR: Incomplete reference
}
