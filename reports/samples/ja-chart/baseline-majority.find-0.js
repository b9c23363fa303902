vlmPut("samples/ja-chart/baseline-majority.find-0","緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑\n緑");
