variable "ssh_host" {
  type        = string
  description = "The machine that Docker is baked into: an address or a name."

  validation {
    condition     = var.ssh_host != "" && regex_replace(var.ssh_host, "^[0-9A-Za-z.:_-]+$", "") == ""
    error_message = "The ssh_host must be an IP address or a host name, without a user or a port."
  }
}

variable "ssh_port" {
  type        = number
  default     = 22
  description = "Where its sshd listens."

  validation {
    condition     = var.ssh_port >= 1 && var.ssh_port <= 65535 && floor(var.ssh_port) == var.ssh_port
    error_message = "The ssh_port must be a whole number between 1 and 65535."
  }
}

variable "ssh_username" {
  type        = string
  default     = "root"
  description = "Who logs in: root, or a user who may sudo without a password."

  validation {
    condition     = var.ssh_username != ""
    error_message = "The ssh_username must not be empty."
  }
}

variable "ssh_private_key_file" {
  type        = string
  default     = ""
  description = "The private key to log in with; the SSH agent has it if this is empty."
}
