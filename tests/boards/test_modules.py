from stillflow.boards.modules import plain_names


def test_plain_names_stay_distinct_and_alike_everywhere():
    text = r"wire \a$1 ; wire a_1; wire \reg ; wire \3x ; assign \a$1  = \a.1 ; wire \_ ;"
    assert plain_names(text) == (
        "wire a_1_; wire a_1; wire reg_; wire n_3x; assign a_1_ = a_1__; wire n_;"
    )
