# No provider is needed: all of this is known before there is a VM.
terraform {
  required_version = ">= 1.0"
}
