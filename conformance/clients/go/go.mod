module example.com/tokenbroker/program

go 1.23

require example.com/tokenbroker/client v0.0.0

replace example.com/tokenbroker/client => ./client
