group "both" { # ERROR: Group without one rule
  match = true
  sample {
    percent = 5
  }
}

group "neither" { # ERROR: Group without one rule
}

group "text" {
  match = "web" # ERROR: Wrong type of value
}

group "share" {
  sample {
    of      = group.txt # ERROR: Unknown group; Did you mean "text"?
    percent = 105 # ERROR: Number out of range
  }
}

group "guarded" {
  match   = true
  protect = true # ERROR: Not supported yet
}

variable "token" {
  type      = bool
  default   = true
  sensitive = true
}

group "secret" {
  match = var.token # ERROR: Sensitive value not allowed
}

group "facts" {
  match = fact.os.famly == "debian" # ERROR: Unknown fact; Did you mean "family"?
}

group "labels" {
  match = host.lables.role == "web" # ERROR: Unsupported attribute; Did you mean "labels"?
}

host "UPPER" { # ERROR: Unusable name
}

host "web1" {
  labels = { role = local.x } # ERROR: Constant wanted
  vars   = { nothing = 1 }    # ERROR: Unknown variable
}
