// Package batch is what `matmul batch` knows of its jobs without touching a
// matrix: the list that a user writes, the order in which its jobs may run, the
// longest time that one may have to wait, and the log of those that have ended.
//
// Contract: nothing in a list or a log is believed before it is checked, and all
// that is wrong with a list is found at once, each thing with the number of its
// line. A Graph hands out a job only when all that it comes after is done, and
// never two times. A Log holds whole lines only: what a crash tore is cut off
// when it is opened again.
package batch
