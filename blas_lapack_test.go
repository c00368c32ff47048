package matmul_test

import (
	"slices"
	"testing"

	"gonum.org/v1/gonum/lapack/gonum"
	"gonum.org/v1/gonum/lapack/testlapack"
)

// suites are gonum's tests of all those LAPACK routines that come to a routine
// of Level 3 sooner or later: LU, Cholesky, QR, SVD, eigenvalues.
var suites = map[string]func(*testing.T, gonum.Implementation){
	"Dgebrd":  func(t *testing.T, l gonum.Implementation) { testlapack.DgebrdTest(t, l) },
	"Dgeev":   func(t *testing.T, l gonum.Implementation) { testlapack.DgeevTest(t, l) },
	"Dgehrd":  func(t *testing.T, l gonum.Implementation) { testlapack.DgehrdTest(t, l) },
	"Dgelqf":  func(t *testing.T, l gonum.Implementation) { testlapack.DgelqfTest(t, l) },
	"Dgels":   func(t *testing.T, l gonum.Implementation) { testlapack.DgelsTest(t, l) },
	"Dgeqp3":  func(t *testing.T, l gonum.Implementation) { testlapack.Dgeqp3Test(t, l) },
	"Dgeqrf":  func(t *testing.T, l gonum.Implementation) { testlapack.DgeqrfTest(t, l) },
	"Dgerqf":  func(t *testing.T, l gonum.Implementation) { testlapack.DgerqfTest(t, l) },
	"Dgesv":   func(t *testing.T, l gonum.Implementation) { testlapack.DgesvTest(t, l) },
	"Dgesvd":  func(t *testing.T, l gonum.Implementation) { testlapack.DgesvdTest(t, l, 1e-13) },
	"Dgetrf":  func(t *testing.T, l gonum.Implementation) { testlapack.DgetrfTest(t, l) },
	"Dgetri":  func(t *testing.T, l gonum.Implementation) { testlapack.DgetriTest(t, l) },
	"Dgetrs":  func(t *testing.T, l gonum.Implementation) { testlapack.DgetrsTest(t, l) },
	"Dggsvd3": func(t *testing.T, l gonum.Implementation) { testlapack.Dggsvd3Test(t, l) },
	"Dggsvp3": func(t *testing.T, l gonum.Implementation) { testlapack.Dggsvp3Test(t, l) },
	"Dhseqr":  func(t *testing.T, l gonum.Implementation) { testlapack.DhseqrTest(t, l) },
	"Dlahr2":  func(t *testing.T, l gonum.Implementation) { testlapack.Dlahr2Test(t, l) },
	"Dlaqps":  func(t *testing.T, l gonum.Implementation) { testlapack.DlaqpsTest(t, l) },
	"Dlaqr04": func(t *testing.T, l gonum.Implementation) { testlapack.Dlaqr04Test(t, l) },
	"Dlaqr23": func(t *testing.T, l gonum.Implementation) { testlapack.Dlaqr23Test(t, l) },
	"Dlaqr5":  func(t *testing.T, l gonum.Implementation) { testlapack.Dlaqr5Test(t, l) },
	"Dlarfb":  func(t *testing.T, l gonum.Implementation) { testlapack.DlarfbTest(t, l) },
	"Dlauum":  func(t *testing.T, l gonum.Implementation) { testlapack.DlauumTest(t, l) },
	"Dorgbr":  func(t *testing.T, l gonum.Implementation) { testlapack.DorgbrTest(t, l) },
	"Dorghr":  func(t *testing.T, l gonum.Implementation) { testlapack.DorghrTest(t, l) },
	"Dorglq":  func(t *testing.T, l gonum.Implementation) { testlapack.DorglqTest(t, l) },
	"Dorgql":  func(t *testing.T, l gonum.Implementation) { testlapack.DorgqlTest(t, l) },
	"Dorgqr":  func(t *testing.T, l gonum.Implementation) { testlapack.DorgqrTest(t, l) },
	"Dorgtr":  func(t *testing.T, l gonum.Implementation) { testlapack.DorgtrTest(t, l) },
	"Dormbr":  func(t *testing.T, l gonum.Implementation) { testlapack.DormbrTest(t, l) },
	"Dormhr":  func(t *testing.T, l gonum.Implementation) { testlapack.DormhrTest(t, l) },
	"Dormlq":  func(t *testing.T, l gonum.Implementation) { testlapack.DormlqTest(t, l) },
	"Dormqr":  func(t *testing.T, l gonum.Implementation) { testlapack.DormqrTest(t, l) },
	"Dpbtrf":  func(t *testing.T, l gonum.Implementation) { testlapack.DpbtrfTest(t, l) },
	"Dpotrf":  func(t *testing.T, l gonum.Implementation) { testlapack.DpotrfTest(t, l) },
	"Dpotri":  func(t *testing.T, l gonum.Implementation) { testlapack.DpotriTest(t, l) },
	"Dpotrs":  func(t *testing.T, l gonum.Implementation) { testlapack.DpotrsTest(t, l) },
	"Dpstrf":  func(t *testing.T, l gonum.Implementation) { testlapack.DpstrfTest(t, l) },
	"Dsyev":   func(t *testing.T, l gonum.Implementation) { testlapack.DsyevTest(t, l) },
	"Dsytrd":  func(t *testing.T, l gonum.Implementation) { testlapack.DsytrdTest(t, l) },
	"Dtrevc3": func(t *testing.T, l gonum.Implementation) { testlapack.Dtrevc3Test(t, l) },
	"Dtrtri":  func(t *testing.T, l gonum.Implementation) { testlapack.DtrtriTest(t, l) },
	"Dtrtrs":  func(t *testing.T, l gonum.Implementation) { testlapack.DtrtrsTest(t, l) },
}

// long are the suites that a short run leaves out: they take seconds each, and
// what they call of Level 3 others call, too.
var long = []string{"Dgeev", "Dgesvd", "Dormbr", "Dlaqr04", "Dlaqr23", "Dgerqf", "Dgels", "Dormlq"}

func TestBLASCarriesGonumsLAPACK(t *testing.T) {
	underBackend(t, func() {
		for name, suite := range suites {
			if testing.Short() && slices.Contains(long, name) {
				continue
			}
			t.Run(name, func(t *testing.T) { suite(t, gonum.Implementation{}) })
		}
	})
}
