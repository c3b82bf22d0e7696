# Which hosts there are in groups, and what is special about one of them.

# A host is a member when match is true. Expressions read facts (what the agent found out),
# labels (bound to the enrolment token, or given below) and other groups.
group "linux" {
  match = fact.os.kernel == "linux"
}

group "debian" {
  match = group.linux && try(fact.os.family, "") == "debian"
}

group "web" {
  match = try(host.labels.role, "") == "web"

  # Values for members. When two groups say something else about the same variable,
  # the one with the higher priority wins; equal priorities are a mistake.
  priority = 10
  vars = {
    contact = "web-team@example.org"
  }
}

# A stable share of a group: the same hosts each month, chosen by a hash of their names.
# Changes can go to them first.
group "canary" {
  sample {
    of      = group.linux
    percent = 5
    seed    = "rings-v1"
  }
  exclude = [group.web]
}

# One host. Labels add to those of its enrolment, vars beat those of its groups.
host "web1.example.org" {
  labels = {
    role = "web"
    site = "north"
  }
  vars = {
    contact = "web-oncall@example.org"
  }
}
