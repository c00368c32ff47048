/*
 * Times pdgemm of ScaLAPACK: C = A*B, n x n in double, on a grid of 1 x ranks,
 * block-cyclic with blocks of nb. Arguments: n nb. Prints the seconds of the
 * slowest rank, of the second of two calls.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

void Cblacs_get(int, int, int *);
void Cblacs_gridinit(int *, const char *, int, int);
void Cblacs_gridinfo(int, int *, int *, int *, int *);
int numroc_(int *, int *, int *, int *, int *);
void descinit_(int *, int *, int *, int *, int *, int *, int *, int *, int *, int *);
void pdgemm_(char *, char *, int *, int *, int *, double *, double *, int *, int *, int *,
	double *, int *, int *, int *, double *, double *, int *, int *, int *);

static double *random_block(long count) {
	double *v = malloc(count * sizeof *v);
	if (!v) {
		fprintf(stderr, "pdgemm: no memory for %ld elements\n", count);
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
	for (long i = 0; i < count; i++)
		v[i] = rand() / (double)RAND_MAX - 0.5;
	return v;
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: pdgemm n nb\n");
		return 2;
	}
	int n = atoi(argv[1]), nb = atoi(argv[2]), ranks, rank;
	MPI_Init(&argc, &argv);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	int context, rows, cols, row, col, zero = 0, one = 1, info, desc[9];
	Cblacs_get(-1, 0, &context);
	Cblacs_gridinit(&context, "Row", 1, ranks);
	Cblacs_gridinfo(context, &rows, &cols, &row, &col);
	int m_local = numroc_(&n, &nb, &row, &zero, &rows), n_local = numroc_(&n, &nb, &col, &zero, &cols);
	descinit_(desc, &n, &n, &nb, &nb, &zero, &zero, &context, &m_local, &info);
	long count = (long)m_local * n_local;
	double *a = random_block(count), *b = random_block(count), *c = random_block(count);
	double alpha = 1, beta = 0, took = 0, slowest;
	for (int i = 0; i < 2; i++) {
		MPI_Barrier(MPI_COMM_WORLD);
		double begin = MPI_Wtime();
		pdgemm_("N", "N", &n, &n, &n, &alpha, a, &one, &one, desc, b, &one, &one, desc, &beta, c, &one, &one, desc);
		took = MPI_Wtime() - begin;
	}
	MPI_Reduce(&took, &slowest, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
	if (rank == 0)
		printf("%.4f\n", slowest);
	MPI_Finalize();
	return 0;
}
