/*
 * The protocol between a master and its workers: mailboxes, bells, and handing
 * out again the tasks of workers that died or were stopped. README.md says how
 * it corresponds to the code, and how to check it.
 *
 * With FINE, every atomic step is one access to shared memory or one system call.
 * Without, what cannot be seen from outside is one step: a message with its
 * stamp, a task's way to a worker with its bell, and each phase of the master's
 * loop. In both, a worker may die or be stopped between any two of its steps.
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
#define STOPS 1		/* SIGSTOPs from outside; a SIGCONT may follow at any time, or never */
#endif
#ifndef DEPTH
#define DEPTH 2		/* slots of a mailbox, and tasks that a worker may hold */
#endif
#define NONE 255

#define STAMP(epoch, seq) ((epoch) * 16 + (seq))
#define SLOT(seat, seq) ((seat) * DEPTH + (seq) % DEPTH)

/* The segment. A bell is its word, and whether the kernel has woken its sleeper. */
byte taskStamp[WORKERS * DEPTH], task[WORKERS * DEPTH];
byte answerStamp[WORKERS * DEPTH], answer[WORKERS * DEPTH];
bit workerBell[WORKERS], workerWoken[WORKERS];
bit masterBell, masterWoken;
bit wakeLost;		/* a ringer died between clearing the master's word and waking it */

/* What the kernel knows of the process in each seat. */
bit stopped[WORKERS], killed[WORKERS], exited[WORKERS];
byte deaths = DEATHS, stops = STOPS;

/* Events on their way to the master: a new process has joined, one was reaped. */
bit coming[WORKERS], joined[WORKERS], ended[WORKERS];

/* The master's table. */
byte epoch[WORKERS], sent[WORKERS], taken[WORKERS];
bit ready[WORKERS];
byte held[WORKERS * DEPTH];	/* tasks sent and not answered, by sequence */
byte state[TASKS];		/* 0 to do, 1 out, 2 done */
bit over;

/* For the assertions only: who may write a tile. */
byte owner[TASKS], ownerEpoch[TASKS];

#define HELD(seat) (sent[seat] - taken[seat])
#define ANSWERED(seat) (answerStamp[SLOT(seat, taken[seat])] == STAMP(epoch[seat], taken[seat]))
#if WORKERS == 1
#define ANY(what) (what(0))
#elif WORKERS == 2
#define ANY(what) (what(0) || what(1))
#else
#define ANY(what) (what(0) || what(1) || what(2))
#endif
#ifdef FINE
#define PHASE
#else
#define PHASE atomic
#endif
#ifdef AWAKE
#define RING skip
#else
#define RING if :: masterBell -> masterBell = 0; masterWoken = 1 :: else fi
#endif
#define RUNS (!stopped[seat])
#define DIES atomic { deaths > 0 && !over -> deaths-- } goto dead; :: atomic { killed[seat] || over }
#define STEP(action) if :: atomic { RUNS -> action } :: DIES -> goto dead fi

proctype worker(byte seat)
{
	byte next, mine, now;
	bit rings;

idle:	atomic {
		if
		:: epoch[seat] != mine -> mine = epoch[seat]	/* another process */
		:: epoch[seat] == mine && over -> goto quit
		fi
	}
take:
#ifdef FINE
	do	/* Bell.Wait(Waiting): look, set the word, look again, sleep */
	:: atomic { RUNS && taskStamp[SLOT(seat, next)] == STAMP(mine, next) -> break }
	:: atomic { RUNS && taskStamp[SLOT(seat, next)] != STAMP(mine, next) -> workerBell[seat] = 1 }
		if
		:: atomic { RUNS && taskStamp[SLOT(seat, next)] == STAMP(mine, next) -> workerBell[seat] = 0 }
		:: atomic { RUNS && taskStamp[SLOT(seat, next)] != STAMP(mine, next) -> skip }
			if	/* futex(WAIT) compares and sleeps in one step */
			:: atomic { RUNS && !workerBell[seat] -> skip }
			:: atomic { RUNS && workerBell[seat] -> workerWoken[seat] = 0 }
				if
				:: atomic { RUNS && workerWoken[seat] -> workerBell[seat] = 0 }
				:: DIES -> goto dead
				fi
			:: DIES -> goto dead
			fi
		:: DIES -> goto dead
		fi
	:: DIES -> goto dead
	od;
	STEP(now = task[SLOT(seat, next)]);
	/* the tile is written, in two parts */
	STEP(assert(owner[now] == seat && ownerEpoch[now] == mine));
	STEP(assert(owner[now] == seat && ownerEpoch[now] == mine));
	/* ring.put */
	STEP(answer[SLOT(seat, next)] = now);
	STEP(answerStamp[SLOT(seat, next)] = STAMP(mine, next); next++; now = 0);
	/* Bell.Ring */
	STEP(if :: masterBell -> masterBell = 0; rings = 1 :: else fi);
	if
	:: rings -> STEP(masterWoken = 1; rings = 0)
	:: else
	fi;
#else
	if
	:: atomic { RUNS && taskStamp[SLOT(seat, next)] == STAMP(mine, next) -> now = task[SLOT(seat, next)] }
	:: DIES -> goto dead
	fi;
	STEP(assert(owner[now] == seat && ownerEpoch[now] == mine));
	STEP(answer[SLOT(seat, next)] = now; answerStamp[SLOT(seat, next)] = STAMP(mine, next); next++; now = 0);
#ifndef AWAKE
	STEP(RING);
#endif
#endif
	goto take;
dead:	atomic { wakeLost = wakeLost || rings; next = 0; now = 0; rings = 0; stopped[seat] = 0; killed[seat] = 0; exited[seat] = 1 };
	atomic { !exited[seat] -> goto idle };	/* reaped */
quit:	skip
}

/* Goroutines of the master: they wait for what happens to a process, post it,
   and ring. */
proctype watcher(byte seat)
{
end:	do
	:: atomic { exited[seat] -> exited[seat] = 0; coming[seat] = 0; ended[seat] = 1; RING }
	:: atomic { RUNS && coming[seat] -> coming[seat] = 0; joined[seat] = 1; RING }
	od
}

/* Whoever stops processes and lets them go on. */
proctype fate(byte seat)
{
end:	do
	:: atomic { !stopped[seat] && !exited[seat] && !ended[seat] && stops > 0 && !over -> stops--; stopped[seat] = 1 }
	:: atomic { stopped[seat] -> stopped[seat] = 0 }
	od
}

/* A worker that holds tasks, or is on its way, and is stopped will be seen as
   silent, sooner or later. */
#define SILENT(seat) (stopped[seat] && !killed[seat] && (!ready[seat] || HELD(seat) > 0))
#define ANSWERS(seat) (ready[seat] && HELD(seat) > 0 && ANSWERED(seat))
#define FRESH(seat) (ended[seat] || joined[seat] || ANSWERS(seat))
#define NEWS ANY(FRESH)
#define NAP (wakeLost || ANY(SILENT))	/* where the master must not sleep for ever */

/* Pool.start: another process, in another epoch. */
inline start(s)
{
	epoch[s]++; sent[s] = 0; taken[s] = 0; ready[s] = 0; coming[s] = 1
}

/* Pool.answers, of one answer: it must be the next that was asked for. */
inline take(s)
{
	t = answer[SLOT(s, taken[s])];
	assert(t == held[SLOT(s, taken[s])]);	/* else the worker is doubted: none of these lies */
	assert(state[t] == 1);			/* nothing is committed twice */
	state[t] = 2; owner[t] = NONE; ownerEpoch[t] = 0; held[SLOT(s, taken[s])] = 0; answer[SLOT(s, taken[s])] = 0; taken[s]++; t = 0
}

/* Pool.bury: what it had finished counts if it was not doubted; the rest is to do
   again. The process has been reaped. */
inline bury(s)
{
	ended[s] = 0; joined[s] = 0;
	do
	:: ANSWERS(s) -> take(s)
	:: else -> break
	od;
	do
	:: HELD(s) > 0 -> t = held[SLOT(s, taken[s])]; state[t] = 0; owner[t] = NONE; ownerEpoch[t] = 0; held[SLOT(s, taken[s])] = 0; taken[s]++; t = 0
	:: else -> break
	od;
	start(s)
}

active proctype master()
{
	byte s, t, depth;

	atomic {
		for (t : 0 .. TASKS - 1) { owner[t] = NONE }
		t = 0;
		for (s : 0 .. WORKERS - 1) { start(s); run worker(s); run watcher(s); run fate(s) }
		s = 0
	}
drive:	PHASE {
	s = 0;
	do	/* heed, collect */
	:: atomic { s < WORKERS && ended[s] -> bury(s) }
	:: atomic { s < WORKERS && !ended[s] && joined[s] -> joined[s] = 0; ready[s] = 1 }
	:: atomic { s < WORKERS && !ended[s] && !joined[s] && ANSWERS(s) -> take(s) }
	:: atomic { s < WORKERS && !ended[s] && !joined[s] && !ANSWERS(s) -> s++ }
	:: s == WORKERS -> break
	od;
	s = 0;
	do	/* watch: at any time, or not yet */
	:: atomic { s < WORKERS && SILENT(s) -> killed[s] = 1; ready[s] = 0 }
	:: atomic { s < WORKERS -> s++ }
	:: s == WORKERS -> break
	od;
	s = 0; depth = 1;
	do	/* feed */
	:: depth <= DEPTH ->
		s = 0;
		do
		:: atomic { s < WORKERS && (!ready[s] || HELD(s) >= depth) -> s++ }
		:: atomic { s < WORKERS && ready[s] && HELD(s) < depth ->
				do
				:: t < TASKS && state[t] != 0 -> t++
				:: else -> break
				od;
				if
				:: t < TASKS -> state[t] = 1; owner[t] = s; ownerEpoch[t] = epoch[s];
					held[SLOT(s, sent[s])] = t; task[SLOT(s, sent[s])] = t
				:: else -> t = NONE
				fi
			}
			if
			:: atomic { t != NONE -> taskStamp[SLOT(s, sent[s])] = STAMP(epoch[s], sent[s]); sent[s]++; t = 0 };
				atomic { if :: workerBell[s] -> workerBell[s] = 0; t = 1 :: else fi };
				atomic { if :: t == 1 -> workerWoken[s] = 1; t = 0 :: else fi }
			:: atomic { t == NONE -> t = 0 }
			fi;
			s++
		:: s == WORKERS -> break
		od;
		depth++
	:: else -> break
	od;
	s = 0; depth = 0;
	do	/* finished? */
	:: t < TASKS && state[t] == 2 -> t++
	:: else -> break
	od;
	if
	:: t == TASKS -> t = 0; over = 1; goto quit
	:: else -> t = 0
	fi
	};
#ifdef AWAKE
	atomic { NEWS || NAP -> goto drive };
#else
	/* Bell.Wait */
	masterBell = 1;
	if
	:: atomic { NEWS -> masterBell = 0; goto drive }
	:: !NEWS
	fi;
	if
	:: atomic { !masterBell -> goto drive }
	:: atomic { masterBell -> masterWoken = 0 }
	fi;
	if
	:: atomic { masterWoken -> masterBell = 0; goto drive }
	:: atomic { NAP -> wakeLost = 0; masterBell = 0; goto drive }
	fi;
#endif
quit:	skip
}
