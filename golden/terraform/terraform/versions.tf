# The module needs no provider: all its values are known before there is a VM.
terraform {
  required_version = ">= 1.0"
}
