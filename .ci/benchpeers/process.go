//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// processorTimes returns the processor time that each process has used so far, in user mode and in the kernel.
func processorTimes(pids ...int) ([]time.Duration, error) {
	const tick = 10 * time.Millisecond // the unit of proc(5)
	times := make([]time.Duration, len(pids))
	for i, pid := range pids {
		fields, err := processFields(pid, "stat")
		if err != nil {
			return nil, err
		}
		for _, field := range fields[11:13] { // utime and stime
			ticks, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			times[i] += time.Duration(ticks) * tick
		}
	}
	return times, nil
}

// resident returns the resident set of a process in MiB.
func resident(pid int) (float64, error) {
	fields, err := processFields(pid, "statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.Atoi(fields[1])
	return float64(pages*os.Getpagesize()) / (1 << 20), err
}

// processFields returns the fields of a file of proc(5) about a process, in stat those after the name, which ends with a
// parenthesis and may contain anything.
func processFields(pid int, file string) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:])), err
}
