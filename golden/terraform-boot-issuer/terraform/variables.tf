variable "address" {
  type        = string
  default     = null
  description = "The address to which docker clients connect: an IP address or a DNS name of the VM. The default is tcp://web1:2376."

  validation {
    condition = var.address == null ? true : anytrue([
      can(cidrhost("${var.address}/128", 0)),
      try(cidrhost("${var.address}/32", 0) == var.address, false),
      alltrue([
        length(var.address) <= 253,
        can(regex("^([0-9A-Za-z]([-0-9A-Za-z]{0,61}[0-9A-Za-z])?(\\.|$))+$", var.address)),
        !can(regex("(^|\\.)[0-9]*$", var.address)),
      ]),
    ])
    error_message = "The address must be an IP address or a DNS name, without a scheme, a port, brackets or a final dot."
  }

  validation {
    condition = var.address == null ? true : !can(regex(
      "^(0\\.0\\.0\\.0|255\\.255\\.255\\.255|(22[4-9]|23[0-9])(\\.[0-9]+){3}|::|ff..:.*)$",
      try(cidrhost("${var.address}/128", 0), var.address),
    ))
    error_message = "The address must be one to which a client can connect."
  }
}

variable "cert_path" {
  type        = string
  default     = "/home/user/.docker/machine/machines/web1"
  description = "The folder with the client's files ca.pem, cert.pem and key.pem. The default is the machine's folder in hostseed's store."

  validation {
    condition     = var.cert_path == null ? false : var.cert_path != ""
    error_message = "The cert_path must be a folder."
  }
}
