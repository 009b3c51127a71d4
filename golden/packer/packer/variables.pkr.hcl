variable "ssh_host" {
  type        = string
  description = "The machine into which Docker is baked: an IP address or a host name."

  validation {
    condition     = var.ssh_host != "" && regex_replace(var.ssh_host, "^[0-9A-Za-z.:_-]+$", "") == ""
    error_message = "The ssh_host must be an IP address or a host name, without a user or a port."
  }
}

variable "ssh_port" {
  type        = number
  default     = 22
  description = "The port of its SSH server."

  validation {
    condition     = var.ssh_port >= 1 && var.ssh_port <= 65535 && floor(var.ssh_port) == var.ssh_port
    error_message = "The ssh_port must be a whole number between 1 and 65535."
  }
}

variable "ssh_username" {
  type        = string
  default     = "root"
  description = "The user for SSH: root, or a user with sudo without a password."

  validation {
    condition     = var.ssh_username != ""
    error_message = "The ssh_username must not be empty."
  }
}

variable "ssh_private_key_file" {
  type        = string
  default     = ""
  description = "The private key for SSH. If it is empty, the SSH agent is used."
}
