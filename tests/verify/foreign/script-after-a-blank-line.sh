
#!/bin/sh
echo hello
