# What holds for the whole repository.

plumb {
  # An older or much newer Plumb refuses this repository, rather than misread it.
  required_version = "~> 1.0"
}

# A variable is a value that may differ between hosts. The most specific one wins:
# its default, then the values block, then the groups of a host, then the host itself.
variable "contact" {
  description = "Whom to call when a host misbehaves."
  type        = string
  default     = "the administrators"
}

variable "ssh_allow_groups" {
  description = "Who may log in by SSH. An empty list allows everybody."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for g in var.ssh_allow_groups : can(regex("^[a-z_][a-z0-9_-]*$", g))])
    error_message = "Names of Unix groups have lower case letters, digits, _ and -."
  }
}

# Values for all hosts. This is the place for what makes your site yours.
values {
  contact = "ops@example.org"
}

# Values that are worked out once and used in several places.
locals {
  # try() is for facts that not every host has. Without it a missing fact is a mistake,
  # with its line: Plumb never goes on with a silent null.
  os_name = try(fact.os.name, "Linux")
}
