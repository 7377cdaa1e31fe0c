/*
 * How every model here states what must never happen, so that tools/runner/prove.py can ask about one property alone.
 *
 *   ALWAYS(P, condition)   an assertion that belongs to property P, a number that the model defines
 *   -DONLY=P               only the assertions of P can fail
 *   -DBUT=P                the assertions of P cannot fail; a run in which one of them would is cut off there, since what
 *                          comes after the first broken promise says nothing about the others
 *
 * A mutant is one seeded defect, named in the model: -DMUTANT_x. It must break its own property under ONLY, and under
 * BUT it must leave all others whole.
 */
#if defined(ONLY)
#define ALWAYS(property, condition) assert((condition) || (property) != ONLY)
#elif defined(BUT)
bool broken;
never cut { do :: !broken od }
#define ALWAYS(property, condition) \
	if \
	:: (condition) \
	:: else -> assert((property) == BUT || broken); broken = true \
	fi
#else
#define ALWAYS(property, condition) assert(condition)
#endif
