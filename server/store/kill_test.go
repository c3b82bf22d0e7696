package store

const childEnv = "PLUMB_STORE_TEST_CHILD"

func ingestForever() {}
