vlmPut("samples/ja-vqa/tiny-ja.find-0","スニーカー\nキツネ\n木\nプリン\nフライドポテト\n王冠\n左上\n右上\n左上\n右下\nハイ\nイイエ\nイイエ\n4\n2\n6\n3\n3\n3\n2\n本\nメガネ\n雪ダルマ\n黄色\n赤\n紫\n4\nハイ\n4\n4\n本\nチョウ\nクマ\n左下\n\n本\nハイ\nハイ\n2\nメガネ");
