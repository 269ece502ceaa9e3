"""The end of the tutorial: the learner's answers, and the notebook to keep."""

from pathlib import Path

import streamlit as st

from sgd_tf.tutorial import end_view
from sgd_tf.ui.language import _, prose

end_view.draw(prose(__file__, "text"), Path(__file__).parent)
st.page_link("pages/practice/your_data.py", label=_("Your data"), icon=":material/upload_file:")
