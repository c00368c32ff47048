/*
 * A pool of three workers: the protocol of mailbox.pml, in which all seats are
 * alike, and with queues in the place of mailboxes. README.md says what that
 * shows, and how to check it.
 *
 * One process takes every step of everybody: of the workers, of the master, of
 * the goroutines that wait for what happens to a worker, and of whoever kills and
 * stops workers. Between two steps the seats are put in order, so that states
 * which differ in nothing but the numbers of the seats are one state. The master
 * therefore feeds the seats in any order.
 *
 * A message with its stamp is one step, and so is what the master does between
 * two looks at its bell. A worker may die or be stopped between any two of its
 * steps.
 */

#ifndef WORKERS
#define WORKERS 3
#endif
#ifndef TASKS
#define TASKS 4
#endif
#ifndef DEATHS
#define DEATHS 2	/* SIGKILLs from outside */
#endif
#ifndef STOPS
#define STOPS 1		/* SIGSTOPs from outside */
#endif
#ifndef DEPTH
#define DEPTH 2		/* slots of a mailbox, and tasks that a worker may hold */
#endif

/* What a process is about to do. */
#define TAKE	0
#define WRITE	1	/* a tile, and the answer */
#define CLEAR	2	/* Bell.Ring: the master's word, */
#define WAKE	3	/* and the master */

/* Where a process is in its life. */
#define LIVES	0
#define EXITED	1	/* not yet reaped */
#define REAPED	2	/* which the master is to learn */

/* Whether a process is stopped. */
#define RESUMES	1	/* a SIGCONT may come at any time */
#define NEVER	2	/* nobody lets it go on */

typedef Seat {
	/* the process */
	byte life, stopped, now, step;
	bit killed;
	bit coming;	/* has not joined yet */
	/* what the master is to learn, and its table */
	bit joined, ready;
	byte sent;		/* tasks sent whose answers were not taken, oldest first, */
	byte held[DEPTH];
	byte answered;		/* how many of them the worker has answered, */
	byte answer[DEPTH]	/* and how */
}

Seat seat[WORKERS];
byte state[TASKS];	/* 0 to do, 1 out, 2 done */
byte deaths = DEATHS, stops = STOPS;

/* The master's bell is its word, and whether the kernel has woken its sleeper. */
bit bell, woken;
bit wakeLost;		/* a ringer died between clearing the word and waking */

/* What the master is about to do. */
byte master;
#define DRIVE	0
#define SET	1	/* Bell.Wait: the word, */
#define LOOK	2	/* a look, */
#define COMPARE	3	/* futex(WAIT) compares and sleeps in one step */
#define ASLEEP	4

#define RUNS(i) (seat[i].life == LIVES && !seat[i].stopped)
#define ASKED(i) (seat[i].answered < seat[i].sent)
#define ANSWERS(i) (seat[i].ready && seat[i].answered > 0)
#define FRESH(i) (seat[i].life == REAPED || seat[i].joined || ANSWERS(i))
/* A worker that holds tasks, or is on its way, and is stopped will be seen as
   silent, sooner or later. */
#define SILENT(i) (seat[i].stopped && !seat[i].killed && (!seat[i].ready || seat[i].sent > 0))
/* A ringer that is stopped has cleared the master's word and woken nobody. */
#define HALTED(i) (seat[i].stopped && seat[i].step == WAKE)

#if WORKERS == 1
#define ANY(what) what(0)
#define EACH(what) what(0)
#elif WORKERS == 2
#define ANY(what) (what(0) || what(1))
#define EACH(what) what(0) what(1)
#else
#define ANY(what) (what(0) || what(1) || what(2))
#define EACH(what) what(0) what(1) what(2)
#endif

#define RING if :: bell -> bell = 0; woken = 1 :: else fi

/* The numbers of the seats mean nothing. */
inline forget() { c_code { sortSeats(); } }

c_decl {
	static void sortSeats(void);
}
c_code {
static void sortSeats(void)
{
	for (int n = WORKERS - 1; n > 0; n--)
		for (int i = 0; i < n; i++)
			if (memcmp(&now.seat[i], &now.seat[i + 1], sizeof now.seat[i]) > 0) {
				struct Seat s = now.seat[i];
				now.seat[i] = now.seat[i + 1];
				now.seat[i + 1] = s;
			}
}
}

/* A tile is written by who holds its task. */
#define MAYWRITE(i) (ASKED(i) && seat[i].held[seat[i].answered] == seat[i].now && state[seat[i].now] == 1)

#define WORKER(i) \
	:: atomic { RUNS(i) && seat[i].step == TAKE && ASKED(i) -> \
		seat[i].now = seat[i].held[seat[i].answered]; seat[i].step = WRITE; forget() } \
	:: atomic { RUNS(i) && seat[i].step == WRITE -> assert(MAYWRITE(i)); \
		seat[i].answer[seat[i].answered] = seat[i].now; seat[i].answered++; \
		seat[i].now = 0; seat[i].step = CLEAR; forget() } \
	:: atomic { RUNS(i) && seat[i].step == CLEAR -> \
		if :: bell -> bell = 0; seat[i].step = WAKE :: else -> seat[i].step = TAKE fi; forget() } \
	:: atomic { RUNS(i) && seat[i].step == WAKE -> woken = 1; seat[i].step = TAKE; forget() } \
	:: atomic { seat[i].life == LIVES && deaths > 0 -> deaths--; die(i); forget() } \
	:: atomic { seat[i].life == LIVES && seat[i].killed -> die(i); forget() }

inline die(i)
{
	wakeLost = wakeLost || seat[i].step == WAKE;
	seat[i].life = EXITED; seat[i].stopped = 0; seat[i].killed = 0;
	seat[i].now = 0; seat[i].step = TAKE
}

/* Goroutines of the master: they wait for what happens to a process, post it,
   and ring. */
#define WATCHER(i) \
	:: atomic { seat[i].life == EXITED -> seat[i].life = REAPED; seat[i].coming = 0; RING; forget() } \
	:: atomic { RUNS(i) && seat[i].coming -> seat[i].coming = 0; seat[i].joined = 1; RING; forget() }

#define FATE(i) \
	:: atomic { RUNS(i) && stops > 0 -> stops--; if :: seat[i].stopped = RESUMES :: seat[i].stopped = NEVER fi; forget() } \
	:: atomic { seat[i].stopped == RESUMES -> seat[i].stopped = 0; forget() }

/* Pool.start: another process. */
inline start(i)
{
	seat[i].life = LIVES; seat[i].coming = 1; seat[i].ready = 0
}

/* Pool.answers, of one answer: it must be the next that was asked for. */
inline take(i)
{
	t = seat[i].answer[0];
	assert(t == seat[i].held[0]);	/* else the worker is doubted: none of these lies */
	assert(state[t] == 1);		/* nothing is committed twice */
	state[t] = 2;
	for (t : 1 .. DEPTH - 1) {
		seat[i].answer[t - 1] = seat[i].answer[t];
		seat[i].held[t - 1] = seat[i].held[t]
	}
	seat[i].answer[DEPTH - 1] = 0; seat[i].held[DEPTH - 1] = 0;
	seat[i].answered--; seat[i].sent--; t = 0
}

/* Pool.bury: what it had finished counts if it was not doubted; the rest is to do
   again. The process has been reaped. */
inline bury(i)
{
	seat[i].joined = 0;
	do
	:: ANSWERS(i) -> take(i)
	:: else -> break
	od;
	do
	:: seat[i].sent > 0 ->
		seat[i].sent--;
		t = seat[i].held[seat[i].sent];
		assert(state[t] == 1);
		state[t] = 0;
		seat[i].held[seat[i].sent] = 0; seat[i].answer[seat[i].sent] = 0
	:: else -> break
	od;
	seat[i].answered = 0; t = 0;
	start(i)
}

inline heed()
{
	s = 0;
	do
	:: s == WORKERS -> break
	:: s < WORKERS && seat[s].life == REAPED -> bury(s)
	:: s < WORKERS && seat[s].life != REAPED && seat[s].joined -> seat[s].joined = 0; seat[s].ready = 1
	:: s < WORKERS && seat[s].life != REAPED && !seat[s].joined && ANSWERS(s) -> take(s)
	:: s < WORKERS && !FRESH(s) -> s++
	od
}

/* at any time, or not yet */
inline watch()
{
	s = 0;
	do
	:: s == WORKERS -> break
	:: s < WORKERS -> s++
	:: s < WORKERS && SILENT(s) -> seat[s].killed = 1; seat[s].ready = 0; s++
	od
}

#define HUNGRY(i) (seat[i].ready && seat[i].sent < depth)
#define CHOOSE(i) :: HUNGRY(i) -> s = i

inline feed()
{
	depth = 1;
	do
	:: depth > DEPTH -> break
	:: depth <= DEPTH ->
		t = 0;
		do
		:: t < TASKS && state[t] != 0 -> t++
		:: else -> break
		od;
		if
		:: t == TASKS || !ANY(HUNGRY) -> depth++
		:: else ->
			if
			EACH(CHOOSE)
			fi;
			state[t] = 1;
			seat[s].held[seat[s].sent] = t;
			seat[s].sent++
		fi
	od
}

active proctype pool()
{
	byte s, t, depth;

	atomic {
		for (s : 0 .. WORKERS - 1) { start(s) }
		s = 0
	}
	do
	EACH(WORKER)
	EACH(WATCHER)
	EACH(FATE)
	:: atomic { master == DRIVE ->
		heed();
		watch();
		feed();
		t = 0;
		do
		:: t < TASKS && state[t] == 2 -> t++
		:: else -> break
		od;
		if
		:: t == TASKS -> goto quit
		:: else
		fi;
		s = 0; t = 0; depth = 0; master = SET; forget() }
	:: atomic { master == SET -> bell = 1; master = LOOK }
	:: atomic { master == LOOK -> if :: ANY(FRESH) -> bell = 0; master = DRIVE :: else -> master = COMPARE fi }
	:: atomic { master == COMPARE -> if :: bell -> woken = 0; master = ASLEEP :: else -> master = DRIVE fi }
	:: atomic { master == ASLEEP && woken -> bell = 0; master = DRIVE }
	/* the bound of the master's sleep, where it matters */
	:: atomic { master == ASLEEP && (wakeLost || ANY(SILENT) || ANY(HALTED)) -> wakeLost = 0; bell = 0; master = DRIVE }
	od;
quit:	skip
}
