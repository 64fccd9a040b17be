module signet/lab/pod

go 1.26.0
