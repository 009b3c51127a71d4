check "user_data" {
  assert {
    condition     = length(provider::hostseed::verify(file("user-data"), "aws")) == 0
    error_message = jsonencode(provider::hostseed::verify(file("user-data"), "aws"))
  }
}
