"""How samples are drawn: the ledger of five ways, and what each does to training on real runs."""

import streamlit as st

from sgd_tf.sampling import rows
from sgd_tf.sampling import view as trials
from sgd_tf.sampling import visits_view as view
from sgd_tf.ui import experiment, runs
from sgd_tf.ui.language import _, prose

st.markdown(prose(__file__, "question"))
part = view.part()

if part == "ways":
    guess = experiment.predict(
        _("With replacement, N draws from N samples: how many samples does one epoch never visit?"),
        view.MISSED,
        key="sampling_guess_ways",
    )
    view.ways_controls()
    drawn = view.orders()
    if drawn:
        experiment.judge(guess, view.missed_answer(drawn), view.MISSED)
        view.five_ways(drawn)
        st.markdown(prose(__file__, "ways"))
        view.missed_table(drawn)
        trials.code(view.ledger_code())

if part == "floor":
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.markdown(prose(__file__, "floor_question"))
        guess = experiment.predict(
            _("With replacement the floor halves. And with a new order in each epoch?"),
            trials.FALLS,
            key="sampling_guess_floor",
        )
        plan = trials.floor_plan()
        if experiment.run_and_stop("sampling_floor"):
            runs.start("sampling_floor", rows.error_floors, plan, seconds=30, prediction=guess)
            st.rerun()
    with right:
        experiment.follow("sampling_floor", trials.floor_picture)
    st.markdown(prose(__file__, "floor_notice"))
    trials.code(trials.floor_code(plan))

if part == "sorted":
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.markdown(prose(__file__, "sorted_question"))
        guess = experiment.predict(
            _("Where does the shuffle buffer end up?"), trials.BUFFERED, key="sampling_guess_sorted"
        )
        plan = trials.sorted_plan()
        if experiment.run_and_stop("sampling_sorted"):
            runs.start("sampling_sorted", rows.sorted_runs, plan, seconds=30, prediction=guess)
            st.rerun()
    with right:
        trials.measure()
        experiment.follow("sampling_sorted", trials.sorted_picture)
    st.markdown(prose(__file__, "sorted_notice"))
    trials.code(trials.sorted_code(plan))

if part == "genie":
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.markdown(prose(__file__, "genie_question"))
        guess = experiment.predict(
            _("After as many samples seen, whose loss have the copies raised?"), trials.HURT, key="sampling_guess_genie"
        )
        plan = trials.genie_plan()
        if experiment.run_and_stop("sampling_genie"):
            runs.start("sampling_genie", rows.genie_runs, plan, seconds=30, prediction=guess)
            st.rerun()
    with right:
        trials.counter()
        experiment.follow("sampling_genie", trials.genie_picture)
    st.markdown(prose(__file__, "genie_notice"))
    trials.code(trials.genie_code(plan))
