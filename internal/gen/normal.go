package gen

import "math"

// normal maps w to the quantile of the standard normal distribution at
// p = (⌊w/2^12⌋ + ½)·2^-52, which lies symmetrically between 0 and 1: the
// largest |x| is about 8.2. It is Wichura's PPND16 (Algorithm AS 241, Applied
// Statistics 37 (1988) 477–484), with a relative error of about 1e-16 where
// the arithmetic is exact.
//
// Every product is rounded by an explicit conversion: without it Go may fuse
// it with the addition that follows, on some machines and not on others.
// math.Sqrt is correctly rounded everywhere; math.Log need not be.
func normal(w uint64) float64 {
	n := int64(w>>12) - 1<<51 // p − ½ = (n + ½)·2^-52, exactly
	q := (float64(n) + 0.5) * 0x1p-52
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return float64(q*horner(&centreNum, r)) / horner(&centreDen, r)
	}
	r := math.Sqrt(-logSmall(0.5 - math.Abs(q)))
	var x float64
	if r <= 5 {
		x = horner(&tailNum, r-1.6) / horner(&tailDen, r-1.6)
	} else {
		x = horner(&farNum, r-5) / horner(&farDen, r-5)
	}
	return math.Copysign(x, q)
}

// horner evaluates c[0] + c[1]·x + … + c[7]·x^7.
func horner(c *[8]float64, x float64) float64 {
	v := c[7]
	for i := 6; i >= 0; i-- {
		v = float64(v*x) + c[i]
	}
	return v
}

// The coefficients of PPND16: a, b for |q| ≤ 0.425; c, d for r ≤ 5; e, f
// beyond.
var (
	centreNum = [8]float64{
		3.3871328727963666080e0, 1.3314166789178437745e+2,
		1.9715909503065514427e+3, 1.3731693765509461125e+4,
		4.5921953931549871457e+4, 6.7265770927008700853e+4,
		3.3430575583588128105e+4, 2.5090809287301226727e+3,
	}
	centreDen = [8]float64{
		1.0, 4.2313330701600911252e+1,
		6.8718700749205790830e+2, 5.3941960214247511077e+3,
		2.1213794301586595867e+4, 3.9307895800092710610e+4,
		2.8729085735721942674e+4, 5.2264952788528545610e+3,
	}
	tailNum = [8]float64{
		1.42343711074968357734e0, 4.63033784615654529590e0,
		5.76949722146069140550e0, 3.64784832476320460504e0,
		1.27045825245236838258e0, 2.41780725177450611770e-1,
		2.27238449892691845833e-2, 7.74545014278341407640e-4,
	}
	tailDen = [8]float64{
		1.0, 2.05319162663775882187e0,
		1.67638483018380384940e0, 6.89767334985100004550e-1,
		1.48103976427480074590e-1, 1.51986665636164571966e-2,
		5.47593808499534494600e-4, 1.05075007164441684324e-9,
	}
	farNum = [8]float64{
		6.65790464350110377720e0, 5.46378491116411436990e0,
		1.78482653991729133580e0, 2.96560571828504891230e-1,
		2.65321895265761230930e-2, 1.24266094738807843860e-3,
		2.71155556874348757815e-5, 2.01033439929228813265e-7,
	}
	farDen = [8]float64{
		1.0, 5.99832206555887937690e-1,
		1.36929880922735805310e-1, 1.48753612908506148525e-2,
		7.86869131145613259100e-4, 1.84631831751005468180e-5,
		1.42151175831644588870e-7, 2.04426310338993978564e-15,
	}
)

// logSmall returns the natural logarithm of a normal 0 < x < 1, to within a
// few units in the last place and to the same bit everywhere: with
// x = 2^e·m, m from √½ to √2, and s = (m−1)/(m+1), log m = 2·atanh s =
// 2·(s + s³/3 + s⁵/5 + …).
func logSmall(x float64) float64 {
	m, e := math.Frexp(x) // exact
	if m < 0.5*math.Sqrt2 {
		m, e = 2*m, e-1
	}
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	series := 0.0
	for n := 23; n >= 3; n -= 2 { // s² < 0.0295: what follows is below 2^-60
		series = float64((series + 1/float64(n)) * z)
	}
	return float64(float64(e)*math.Ln2) + float64(2*s*(1+series))
}
